"""Figures with the script that makes them; run by `python -m benchmarks`, imported by nobody.

What is measured plugs in as a `Subject` (`subject.py`): `bare.py` is the yardstick, `ours.py` the
whole governed job, `dbos_subject.py` the minimum elsewhere. `sections.py` says what is measured.
"""
