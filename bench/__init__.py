"""Benchmarks: the operations that mail clients live on, over HTTP, against a generated mailbox."""
