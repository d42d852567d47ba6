"""DynamoDB's tables in memory, for tests: as strict as DynamoDB with what the system asks of it, and quick.

moto reads each request off a wire, parses its expressions anew and keeps items as trees of objects: four fifths of what the
tests cost. Here expressions are compiled once, items are plain and never changed in place, and partitions are kept sorted.
What the system does not use is not there, and whoever asks for it is told so (`NotImplementedError`).
tests/contracts/storage compares the two things that matter, answers and refusals, with Amazon's DynamoDB Local.

`values` (of attributes), `grammar` and `expressions` (conditions and updates), `store` (a table), `reading` and `writing`
(operations), `requests` (all of them).
"""
