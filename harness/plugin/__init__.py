"""The plugin API (hook specifications, specs, interfaces, configs, events) and the plugin registry."""
