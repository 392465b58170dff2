"""One child process: launched, talked to, measured, killed and reaped."""
