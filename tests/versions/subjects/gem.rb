# Reads {versions, pairs} as JSON; writes the version of RubyGems and whether it was amended, of each
# version its canonical number and whether it is a prerelease, null where the registry refuses it,
# and the order of each pair.

require "json"

# rubygems/rubygems.org, app/models/version.rb and lib/patterns.rb.
NUMBER = /\A#{Gem::Version::VERSION_PATTERN}\z/
FILE = /\.(?:gem|json|html|gemspec)\z/i

# Since 3.5, zeros before a text that is not the first are nothing where none are before the first.
AMENDED = Gem::Version.new("1.a.0.b") != Gem::Version.new("1.a.b")

def read(text)
  text = text.sub(/(\A|\.)[.0]+(?=[A-Za-z])/) { |zeros| $1.empty? ? zeros : $1 } if AMENDED
  Gem::Version.new(text)
end

def verdict(text)
  return if text.size > 255 || text.include?("-") || !text.match?(NUMBER)

  version = read(text)
  number = version.canonical_segments.join(".")
  # It takes 0.0gem, whose canonical number is "gem", but not 0.gem; we take neither.
  [number, version.prerelease?] unless ".#{number}".match?(FILE)
end

versions, pairs = JSON.parse($stdin.read).values_at("versions", "pairs")
orders = pairs.map { |low, high| read(low) <=> read(high) }
puts JSON.generate([Gem::VERSION, AMENDED, versions.map { |text| verdict(text) }, orders])
