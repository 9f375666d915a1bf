"""What an outsider who keeps releases that were approved before works out of the next one: told before it is signed.

A release is attacked alone as it is protected. Here it is attacked together with what it replaces, both ways round,
since a cell that either withholds may give way to the other; and counted against releases nearer than a year, whose
breakdowns below the departments are not to differ by a few. What is found is not mended: the steward sees it, and an
approval in spite of it needs a reason.

`look` attacks; `told` is how much was found, as the ledger has it, which a portal reads without a solver.
"""
