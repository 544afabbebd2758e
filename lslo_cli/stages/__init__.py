"""One function per command: values in, a result out. No printing, no artifact files."""
