"""The examples printed in the RFCs, run: ids and states are the server's own, and what a "..." leaves out is filled in.

`examples.tsv` says where the test of each example is, here or beside the tests of its subject, or why there is none.
"""
