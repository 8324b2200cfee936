"""The story of five people: `python -m examples.demo`, or `make demo`.

Everything in it is real: a Temporal server, a worker in a process of its own, a store on SQLite.
What is printed is what was answered, and is checked before it is printed.
"""
