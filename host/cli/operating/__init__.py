"""What operators use: metrics under an address, the doctor, logs."""
