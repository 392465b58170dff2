"""The ctypes binding to the C API of quickjs-ng. It knows nothing of workflows or of the wire."""
