# Elixir's Version on lines: "-" and a version asks what it is, two versions ask how they compare.
# Every version is in base 16. Answers an identity and whether it is a prerelease, or "-"; or a sign.

defmodule Driver do
  def answer([<<"-">>, version]) do
    case Version.parse(Base.decode16!(version)) do
      {:ok, version} -> if taken?(version), do: "#{version} #{version.pre != []}", else: "-"
      :error -> "-"
    end
  end

  def answer([one, two]) do
    case Version.compare(Base.decode16!(one), Base.decode16!(two)) do
      :lt -> "-1"
      :eq -> "0"
      :gt -> "1"
    end
  end

  # What the registry refuses beyond that (hexpm, Hexpm.Version.validate).
  defp taken?(%Version{major: major, minor: minor, patch: patch, pre: pre, build: build}) do
    numbers = [major, minor, patch | Enum.filter(pre, &is_integer/1)]

    build == nil and Enum.all?(numbers, &(&1 <= 99_999_999_999_999)) and
      String.length(Enum.join(pre, ".")) <= 64
  end
end

IO.puts(System.version())

# All at once: a line at a time is a message each.
with lines when is_binary(lines) <- IO.binread(:stdio, :eof) do
  lines
  |> String.split("\n", trim: true)
  |> Enum.map(&[Driver.answer(String.split(&1, " ")), ?\n])
  |> IO.binwrite()
end
