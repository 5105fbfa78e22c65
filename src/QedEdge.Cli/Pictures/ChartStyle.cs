namespace QedEdge.Cli.Pictures;

/// <summary>How a line chart looks: colours for light and dark that differ for colour-blind eyes too, and a dash and a marker for those who see none.</summary>
internal static class ChartStyle
{
    public const double Text = 13, Title = 17;

    private static readonly string[] Dashes = ["", "7 3", "2 3", "9 3 2 3", "12 4", "5 2 1 2 1 2"];

    /// <summary>Paths around a point: circle, square, triangle, diamond, triangle downwards, cross.</summary>
    private static readonly string[] Markers =
    [
        "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
        "m-3.6-3.6h7.2v7.2h-7.2z",
        "m0-5l4.6 8.2h-9.2z",
        "m0-5l5 5l-5 5l-5-5z",
        "m0 5l-4.6-8.2h9.2z",
        "m-1.6-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
    ];

    /// <summary>The style sheet. What the reader's system says of light and dark counts on a screen; paper is light. In UTF-8, which takes half the room in the executable.</summary>
    public static ReadOnlySpan<byte> Sheet => """
        text{fill:#1f2328}.title{font-size:17px;font-weight:600}.minor{fill:#57606a}
        .page{fill:#fff}svg{background:#fff}.grid{stroke:#e4e7ea}.axis{stroke:#8a929a}
        .line{fill:none;stroke-width:2;stroke-linejoin:round}.band{stroke:none;opacity:.2}.bar{fill:none;stroke-width:1.5}.mark{stroke:#fff}
        .s0{fill:#0e3778;stroke:#0e3778}.s1{fill:#e16e0b;stroke:#e16e0b}.s2{fill:#3fa074;stroke:#3fa074}
        .s3{fill:#b06ef4;stroke:#b06ef4}.s4{fill:#642b00;stroke:#642b00}.s5{fill:#6a82a3;stroke:#6a82a3}
        @media screen and (prefers-color-scheme:dark){
        text{fill:#e6e9ec}.minor{fill:#a3abb3}
        .page{fill:#15171b}svg{background:#15171b}.grid{stroke:#2c3036}.axis{stroke:#7b838b}.mark{stroke:#15171b}
        .s0{fill:#379dfb;stroke:#379dfb}.s1{fill:#d97f1a;stroke:#d97f1a}.s2{fill:#93ffd0;stroke:#93ffd0}
        .s3{fill:#b978b2;stroke:#b978b2}.s4{fill:#f2d919;stroke:#f2d919}.s5{fill:#bce4fb;stroke:#bce4fb}
        }
        """u8;

    /// <summary>The class of a series's colour.</summary>
    public static string Color(int series) => "s" + (char)('0' + series % 6);

    /// <summary>The attribute of a series's dashes. Series of the same colour differ in it.</summary>
    public static string Dash(int series) => Dashes[(series + series / 6) % Dashes.Length] is { Length: > 0 } dash ? $" stroke-dasharray=\"{dash}\"" : "";

    /// <summary>The path of a series's marker, from where the point is.</summary>
    public static string Marker(int series) => Markers[(series + series / 6) % Markers.Length];
}
