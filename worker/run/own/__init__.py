"""What the user checks in an answer: conditions to fulfil, and formats of fields. Pure.

`own.judged` is the door. The language of conditions is models/checks.py; they are worked out by
simpleeval over values of readings.py, which are numbers and dates in the text's own conventions.
"""
