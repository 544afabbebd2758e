"""What lslo does where files, disks and numbers fail. Each module is a program; see docs/faults.md."""
