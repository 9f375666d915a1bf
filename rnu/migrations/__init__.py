"""How the ledger's tables came to be. Migrations only add; each says in one line why."""
