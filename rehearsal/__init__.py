"""The rack: the real engine and the real program against a simulated outside world."""
