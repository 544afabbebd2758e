"""Tables, each a pure function from results to unrounded values, and one writer per format."""
