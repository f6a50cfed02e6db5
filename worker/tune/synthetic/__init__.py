"""Texts of our own making with asks and right answers: what the shipped adapter is trained on.

Every firm, person and number in them is drawn by lot. Labels, fields and the words of asks vary
more than the texts do: a model that always meets the same labels learns those, and not to choose.
"""
