"""The list of a site's files, by which a later build removes those that it no longer has."""

FILE = "site.json"
