"""The pure engine of mutations: values and rules, without I/O, clock, chance or Temporal."""
