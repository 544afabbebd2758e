"""Fault injection: lslo with damaged files, full disks and invalid numbers. See docs/faults.md."""
