"""The ctypes binding to the C API of quickjs-ng."""
