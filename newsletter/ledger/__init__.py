"""The ledger: who gets what, where it is, and who must not be mailed. All SQL is here."""
