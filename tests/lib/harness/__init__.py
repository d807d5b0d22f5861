"""Shared by the test scripts: real servers in temporary directories, and counted checks."""
