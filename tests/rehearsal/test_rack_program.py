"""What is left of the program when its engine is gone is ended, quietly."""

import asyncio
from pathlib import Path

from rehearsal.program import InlineProgram


def test_a_stop_asked_for_before_the_end_does_not_cut_the_ending_short():
    """Incident: on a busy machine a killed engine's rehearsal ended in "Event loop stopped before Future completed"."""
    loop = asyncio.new_event_loop()
    left = loop.create_task(asyncio.sleep(100))
    loop.call_soon(loop.stop)
    program = InlineProgram(Path("nothing.py"))
    program._loop = loop
    program.settle()
    assert left.cancelled()
    assert loop.is_closed()
