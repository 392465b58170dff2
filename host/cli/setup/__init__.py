"""How ``flowcage run`` comes to its agents: by options, by settings in files, by what is on this machine."""
