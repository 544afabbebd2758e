"""Speed and memory of training and decoding, each compared with its peers side by side in one run."""
