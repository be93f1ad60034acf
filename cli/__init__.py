"""The command line a person types: `./lab <verb> <stack>`."""
