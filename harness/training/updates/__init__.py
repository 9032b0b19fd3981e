"""Rules that change what an optimizer step does to the weights: update masks, subspace scaling, moving averages.

One mechanism for all: `rule.attach` connects the rules of a step to any TRL trainer that runs in one process or under
DDP. Each rule resumes with the same bytes.
"""
