"""What `ops/bench` is made of: the server, the programs, the limit, the scenarios, the figures."""
