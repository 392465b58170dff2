module flowcage.dev/flowcage

go 1.19
