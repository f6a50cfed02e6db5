"""Field by field, what an answer's values are worth: checks that ask no model. Pure.

`verify.verify` is the door. Values and texts are compared in folded form (fold.py), so the rules
stand on forms of numbers (numbers.py), dates (dates.py) and labels (labels.py), and on the words of
lexicon.py. No rule knows a kind of document.
"""
