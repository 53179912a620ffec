"""The soak: senders, consumers and one trouble after another at a deployed stack, and an account of every event.

Read in this order:

- `deliveries`: what is sent: an endless stream from a seed, of every kind, repeated and shuffled
- `ledger`: what is noted meanwhile: every sending, every answer, every message found
- `crew`: the threads, how one learns that one of them failed, and how all sending is held for a moment
- `senders`, `collectors`: what the threads do
- `troubles`: what goes wrong, how one sees that it did, and how it is mended
- `replay`: what an operator does afterwards, with the operator's tool
- `account`: from the ledger to figures, and to what is wrong with them
- `course`: all of it together; `command` is what `make soak` does
"""
