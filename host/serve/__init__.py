"""``flowcage serve``: a socket whose connections each get a caged child."""
