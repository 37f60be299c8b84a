"""What only a test fixture needs: a clock that can be set, faults on demand, a log of every exchange, a reset."""
