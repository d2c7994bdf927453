"""The crash harness: kill the sender in every way there is, and let the other side judge.

A round is a campaign that is killed, started again and killed again until it
gets through. After every kill and at the end the count of the sink or provider
is held against the ledger:

* nobody has two copies;
* whoever is ``accepted`` has exactly one, whoever waits or was refused has none;
* one kill leaves at most one recipient a connection in doubt, or one call an
  HTTP worker;
* everybody planned is in exactly one state, and in the end everybody is
  accepted, refused or named as in doubt: nobody is lost.

docs/crash-harness.md tells how to run it, and what it proves.
"""
