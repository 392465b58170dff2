"""Applies the JSON Schemas that workflows bring along.

A workflow is hostile, and so is its schema: a few references can stand for 2**40 checks, an expression can
backtrack for ever, and some hundred alternatives beside some hundred items hold an interpreter for seconds,
in a thread as well as in the event loop. So the host itself does only what `plain` bounds beforehand, by
counting. Everything else, and every explanation of a refusal, is done by a process in the child's cage,
`checker`, few of them at once and on the run's account. `checks` decides which.
"""
