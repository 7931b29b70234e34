// NuGet.Versioning on lines of base64: "read" and a version, or "compare" and two. Answers a
// version's normal form, that with its metadata, and two flags, or "-"; for two versions a sign.

using System;
using System.Text;
using NuGet.Versioning;

static class Driver
{
    static NuGetVersion Parse(string encoded)
    {
        NuGetVersion version;
        string text = Encoding.UTF8.GetString(Convert.FromBase64String(encoded));
        return NuGetVersion.TryParse(text, out version) ? version : null;
    }

    static string Read(NuGetVersion version)
    {
        return version == null ? "-" : string.Join(
            " ", version.ToNormalizedString(), version.ToFullString(), version.IsPrerelease,
            version.IsSemVer2);
    }

    static void Main()
    {
        Console.WriteLine(typeof(NuGetVersion).Assembly.GetName().Version);
        string line;
        while ((line = Console.ReadLine()) != null)
        {
            string[] words = line.Split(' ');
            Console.WriteLine(words[0] == "read"
                ? Read(Parse(words[1]))
                : Math.Sign(Parse(words[1]).CompareTo(Parse(words[2]))).ToString());
        }
    }
}
