"""The host for asyncio programs: trio in a thread of its own, handlers on the program's event loop."""
