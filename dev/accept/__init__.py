"""`make accept`: deploys a disposable stack to an AWS account, and writes down what AWS does that no emulator can show.

- `relay`: the disposable stack: deploying, updating and deleting it, in the caller's account or on the emulator
- `claims`: the table of claims, each with the function that shows it
- `measurements`: the claims that are numbers
- `run`: one run from the first to the last, its page and cost, and clean afterwards however it ends

It is developed against the emulator (`make accept ON=emulator`). What the emulator cannot show raises `NotShown` there.
"""
