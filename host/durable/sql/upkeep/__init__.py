"""Looking after what is stored: removing, moving, sealing anew, sweeping."""
