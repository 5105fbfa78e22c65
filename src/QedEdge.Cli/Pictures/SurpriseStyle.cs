namespace QedEdge.Cli.Pictures;

/// <summary>How a page of surprises looks. Colours darken (or lighten, in dark mode) with surprise, so that they can be told apart without their hue.</summary>
internal static class SurpriseStyle
{
    /// <summary>The style sheet: --c0 to --c7 are the classes of surprise. The line at the bottom shows what is said of a token. In UTF-8, which takes half the room in the executable.</summary>
    public static ReadOnlySpan<byte> Sheet => """
        :root{color-scheme:light dark;--ink:#16181c;--minor:#57606a;--page:#fff;--bar:#f1f3f5;
        --c0:#eef8ec;--c1:#ffe8be;--c2:#ffd495;--c3:#fdc16e;--c4:#f6af34;--c5:#f29852;--c6:#f07e68;--c7:#dc5a84}
        @media screen and (prefers-color-scheme:dark){:root{--ink:#f2f4f6;--minor:#a3abb3;--page:#121417;--bar:#24282e;
        --c0:#171b1f;--c1:#17203b;--c2:#0e295c;--c3:#37257f;--c4:#632570;--c5:#901d5e;--c6:#a92e46;--c7:#a5521f}}
        body{margin:0;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
        main{max-width:46rem;margin:0 auto;padding:1.5rem 1.25rem 5rem}
        h1{font-size:1.4rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
        p{margin:.25rem 0;color:var(--minor);overflow-wrap:anywhere}
        dl{display:flex;flex-wrap:wrap;gap:.5rem 2.5rem;margin:1rem 0}
        dt{color:var(--minor);font-size:.875rem}dd{margin:0;font-size:1.25rem;font-variant-numeric:tabular-nums}
        ol{display:flex;flex-wrap:wrap;gap:2px;list-style:none;margin:1rem 0 .25rem;padding:0}
        li{flex:1 1 4rem;padding:.25rem .5rem;white-space:nowrap}small{display:block;font-size:.8125rem}
        .text{margin-top:1.5rem;padding-top:1.25rem;border-top:1px solid var(--minor);font-size:1.0625rem;line-height:1.9;white-space:pre-wrap;overflow-wrap:anywhere;tab-size:4;unicode-bidi:plaintext}
        .text span{padding:.2em 0;border-radius:.2em;box-shadow:inset -1px 0 var(--page);-webkit-box-decoration-break:clone;box-decoration-break:clone}
        .text i{font-style:normal;color:var(--minor)}u{text-decoration:none}u::before{content:"↵";opacity:.6}
        .c0{background:var(--c0)}.c1{background:var(--c1)}.c2{background:var(--c2)}.c3{background:var(--c3)}
        .c4{background:var(--c4)}.c5{background:var(--c5)}.c6{background:var(--c6)}.c7{background:var(--c7)}
        span:hover,span:focus{outline:2px solid var(--ink)}
        span:hover::after,span:focus::after{content:attr(data-t);position:fixed;z-index:1;bottom:0;left:0;right:0;padding:.6rem 1.25rem;background:var(--bar);border-top:1px solid var(--minor);color:var(--ink);font-size:1rem;line-height:1.5;white-space:pre-wrap;text-align:center}
        span:hover::after{z-index:2}
        @media print{main{max-width:none;padding:0}.c0,.c1,.c2,.c3,.c4,.c5,.c6,.c7{-webkit-print-color-adjust:exact;print-color-adjust:exact}span:hover::after,span:focus::after{content:none}}
        """u8;

    /// <summary>Where the classes of surprise end, in bits; the last one does not.</summary>
    private static readonly double[] Bounds = [1, 2, 4, 6, 8, 10, 13];

    public const int Classes = 8;

    /// <summary>The class of a surprise.</summary>
    public static int ClassOf(double bits)
    {
        int index = 0;
        while (index < Bounds.Length && bits >= Bounds[index])
            index++;
        return index;
    }

    /// <summary>The surprises of a class in words.</summary>
    public static string NameOf(int index)
    {
        if (index == 0)
            return $"under {Markup.Number(Bounds[0])} bit";
        return Markup.Number(Bounds[index - 1]) + (index < Bounds.Length ? "–" + Markup.Number(Bounds[index]) : "+");
    }
}
