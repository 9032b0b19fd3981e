"""What a plugin implements (hook specifications, specs, interfaces, configs, events), and the registry."""
