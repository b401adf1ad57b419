"""The command line: one verb a file, each only translating options into a call of a pipeline module."""
