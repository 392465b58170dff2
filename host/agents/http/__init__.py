"""Built-in agents that ask a provider of models over HTTP.

`agent.HttpAgent` is the way of a call: it chooses how the answer's form is asked for (`forms`), sends the
question (`attempt`) over the connections of this trio run (`network`), sends again what may pass, and reads
the answer as it comes (`reading`). What differs between providers is an `api.Api`; there is one in each of
`anthropic`, `responses`, `chat` and `ollama`.

Nothing here is imported before an agent of this kind is made: httpx takes longer to load than a run.
"""
