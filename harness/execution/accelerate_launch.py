"""`accelerate launch` in a process that ends with its parent process. Run as a module, with the same arguments."""

from __future__ import annotations

import os

from harness._util.parent_process import end_with
from harness.execution.launching import PARENT_VARIABLE

if __name__ == "__main__":
    end_with(int(os.environ[PARENT_VARIABLE]))
    from accelerate.commands.launch import main

    main()
