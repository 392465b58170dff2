"""Applies the JSON Schemas that workflows bring.

A schema is as hostile as its workflow: a few references can stand for 2**40 checks, a pattern can backtrack
without end, and some hundred alternatives beside some hundred items hold an interpreter for seconds, in a
thread as well as in the event loop. So the host itself applies only what `plain` bounds by counting its
steps. Everything else, and every explanation of a refusal, is done by `checker`, a process in the child's
cage, few of them at once and charged to the run. `checks` decides which.
"""
