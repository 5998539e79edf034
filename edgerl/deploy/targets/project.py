"""Who publishes what an export's packages name."""

HOME = "https://github.com/edgerl/edgerl"
MAINTAINER = "EdgeRL <edgerl@users.noreply.github.com>"
LICENCE = "MIT"
