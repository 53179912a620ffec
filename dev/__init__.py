"""The relay on one machine: the real template, deployed with the real `sam deploy` to an emulator of AWS, no Docker.

`python -m dev COMMAND`, through the Makefile, from the project's folder. Read in this order:

- `places`: where everything lies; a named *instance* is one emulator with its own folder, so that `make run`, `make up`
  and the tests do not meet
- `environment`: what the programs that we start see, and that none of them can reach AWS itself
- `keeper`, `processes`: starting programs so that none outlives us
- `emulator`, `build`, `deploy`: from nothing to a deployed stack
- `stack`: a deployed stack in use: requests in, messages out, the secret
- `samples`, `refusals`: the sample events of `events/` as requests, and what has to come of each; requests to refuse
- `large`: events that a queue cannot carry as they are
- `demonstration`: what `make run` does
- `gate`: a way to a server that can be closed
- `soak`: what `make soak` does, in rooms of its own
- `standing`: what `make up`, `make outputs`, `make logs` and `make down` do
- `aws`: what `make deploy` does, which leaves this machine, as only `make accept` does, too
- `load`: a sender that does not pause while something happens to a stack
- `accept`: what `make accept` does: a disposable stack at AWS, and what only AWS can show
- `progress`, `report`: what one sees meanwhile and in the end
"""
