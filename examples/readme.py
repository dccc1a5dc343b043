"""readme.py: prints the program at the top of README.md, so that it is built.

    examples/readme.py README.md
"""
import pathlib
import sys

text = pathlib.Path(sys.argv[1]).read_text()
print(text.split("```c\n")[1].split("```")[0], end="")
