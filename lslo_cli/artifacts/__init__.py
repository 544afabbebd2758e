"""What crosses between commands: JSON documents that carry a result and where it came from."""
