"""The workflows: the story of a request, the dispatcher of side effects, the reconciler.

Nothing is imported here: the sandbox runs this module anew for every workflow.
"""
